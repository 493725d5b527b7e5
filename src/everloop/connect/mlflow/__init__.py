"""MLflow: a tracking server that sees every run, version and champion, by its REST API; and models of ours that its client loads.

Nothing of MLflow has to be installed where the house is. ``rest.py`` asks a server, ``runs.py`` and ``models.py`` are its nouns,
``folder.py`` writes a version as a folder MLflow knows, ``pyfunc.py`` reads it again inside MLflow, ``learner.py`` catches what a learner's
own calls of MLflow say.
"""
