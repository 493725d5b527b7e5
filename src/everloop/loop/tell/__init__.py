"""What is told and is no event: truths, outcomes, and the answers of services elsewhere."""
