# @slot header

# @scope the standard library's modules; sorted, and dropped where nothing uses them
# @slot imports.standard
import copy
import io
import math
import os
import random
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

# @scope packages that the run needs installed; sorted, and dropped where nothing uses them
# @slot imports.packages
import numpy as np
import sentencepiece
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

# @include "hyperparameters.py"


# @include "log.py"


# @include "data.py"


# @include "model.py"


# @include "optimizer.py"


# @include "train.py"


# @include "quantize.py"


# @include "evaluate.py"


# @include "main.py"
