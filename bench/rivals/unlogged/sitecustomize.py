"""On the path of a house's processes: they answer as ever, and remember no answer. What remembering costs is the difference."""

import everloop.serving.log as log

log.AnswersLog.write = lambda self, rows, **_: None
if hasattr(log.AnswersLog, "hand"):
    log.AnswersLog.hand = lambda self, rows, then: log.Handed((), None)
