"""CPU stand-ins for what a training script expects of a GPU machine, and a record of its run.

Only the process that executes a script imports this package: it needs torch, which the composer
never imports, and nothing else of pgolf_compose. `trace.py` starts that process.

    cuda          devices, streams, memory figures, autocast: everything happens on the CPU
    distributed   NCCL's collectives over gloo
    compiling     torch.compile and custom operators without a compiler
    attention     FlashAttention 2 and 3, exact, in plain torch
    kernels       an interpreter of Triton kernels
    packages      modules and programs that may be missing
    recorder      what the run did, stage by stage, as it happens
    child         executes the script
"""
