"""Five tiny projects, each with a few months of made-up happenings: what ``everloop init`` writes, and what contract suites run on."""
