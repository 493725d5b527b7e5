"""Run by the Python of KFP's own environment: the file compiles itself, is read again, and is run in processes of this machine.

``python in_kfp.py PIPELINE.py NAME INSTANT``, where the file lies; the last line tells what was read.
"""

import importlib.util
import json
import sys

from kfp import components, dsl, local


def loaded(path):
    spec = importlib.util.spec_from_file_location("pipeline", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


path, name, now = sys.argv[1:]
module = loaded(path)
module.compiler.Compiler().compile(getattr(module, name), f"{name}.yaml")
read = components.load_component_from_file(f"{name}.yaml")
# KFP's local runner of 2.17.0 knows no times: what a run without an instant would be about is nothing here.
dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER = ""
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root="outputs")
getattr(loaded(path), name)(now=now)
print(json.dumps({"components": sorted(read.pipeline_spec.components), "inputs": sorted(read.component_spec.inputs)}))
