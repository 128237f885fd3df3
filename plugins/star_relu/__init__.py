"""Give each hidden unit of the MLP a scale and a bias of its own behind the squared ReLU."""

from pgolf_compose import Technique

technique = Technique(__name__, source="arXiv:2210.13452; PR #277")
