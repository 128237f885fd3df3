# @fill optimizer.more
decoder = {id(p) for p in model.blocks[h.num_layers // 2 :].parameters()}
for optimizer in optimizers:
    for group in list(optimizer.param_groups):
        late = [p for p in group["params"] if id(p) in decoder]
        if late:
            group["params"] = [p for p in group["params"] if id(p) not in decoder]
            faster = {**group, "params": late, "lr": h.decoder_lr_mult * group["lr"]}
            optimizer.add_param_group(faster)
