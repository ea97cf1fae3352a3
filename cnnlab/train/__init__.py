"""Training: many small steps, watched, kept safe, and looked into.

>>> from cnnlab.train import Trainer, evaluate
>>> Trainer.__name__, evaluate.__name__
('Trainer', 'evaluate')
"""

from cnnlab.train.checkpoint import CheckpointError
from cnnlab.train.history import History, TrainingDiverged
from cnnlab.train.statistics import LayerStatistics, Statistics, activations, statistics
from cnnlab.train.trainer import Trainer, evaluate, predict_scores

__all__ = [
    "CheckpointError",
    "History",
    "LayerStatistics",
    "Statistics",
    "Trainer",
    "TrainingDiverged",
    "activations",
    "evaluate",
    "predict_scores",
    "statistics",
]
