# @fill modules
@torch.no_grad()
def write_texts(h: Hyperparameters, model: nn.Module) -> list[Tensor]:
    """Token ids (B, T) as the model continues random first tokens; alike in all processes.

    Each further token runs the whole text again: slow, and no second kind of forward to keep.
    """
    generator, texts = torch.Generator(h.device).manual_seed(h.seed), []
    for start in range(0, h.gptq_calib_seqs, h.gptq_batch_size):
        size = (min(h.gptq_batch_size, h.gptq_calib_seqs - start), 1)
        ids = torch.randint(h.vocab_size, size, generator=generator, device=h.device)
        for _ in range(h.train_seq_len - 1):
            with autocast(h):
                logits = model.head(model.trunk(ids)[:, -1]).float()
            share = torch.softmax(logits / h.gptq_temperature, dim=-1)
            ids = torch.cat((ids, torch.multinomial(share, 1, generator=generator)), dim=1)
        texts.append(ids[:, :-1])  # the last is read by nothing
    return texts


# @replace gptq.batches
batches = write_texts(h, model)
log(h, f"gptq:wrote {h.gptq_calib_seqs} texts in {time.perf_counter() - started:.1f} s")
