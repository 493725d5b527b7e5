"""Kubernetes: a house as an image and manifests, for who runs clusters. In: facts (``facts.py``). Out: the text of files; nothing is asked.

``image.py`` writes the Dockerfile, ``pod.py`` what every pod has in common, ``serving.py`` who answers, ``learning.py`` who turns it,
``network.py`` who may speak to whom, ``overlays.py`` the roll-out of an image, ``runbook.py`` what people do. Manifests are plain data
until ``written.py`` makes YAML of them: what is data can be put together and looked at, which a template with holes cannot, and a
real writer quotes what has to be quoted.
"""
