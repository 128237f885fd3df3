"""FlashAttention's functions in plain torch: exact, in float32, for any layout of windows."""

import torch
from torch import Tensor

__all__ = ["attend", "flash_attn_2_func", "flash_attn_func", "flash_attn_varlen_func"]


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: float | None = None,
    causal: bool = False,
    window: tuple = (-1, -1),
    softcap: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Attention of q (B, T, H, D) to k and v (B, S, G, D), each of G heads serving H / G queries.

    The last query is aligned with the last key. `window` is how many keys to the left and to the
    right a query sees; -1: all. Returns (B, T, H, D) and the log of the softmax's sums (B, H, T).
    """
    T, S, groups = q.size(1), k.size(1), q.size(2) // k.size(2)
    q, k, v = (t.transpose(1, 2) for t in (q, k, v))
    if groups > 1:
        k, v = (t.repeat_interleave(groups, dim=1) for t in (k, v))
    scores = (q.float() @ k.float().mT) * (q.size(-1) ** -0.5 if scale is None else scale)
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    left, right = window
    right = 0 if causal else right
    behind = torch.arange(T)[:, None] + S - T - torch.arange(S)  # how far a key lies back
    hidden = torch.zeros(T, S, dtype=torch.bool)
    if left >= 0:
        hidden |= behind > left
    if right >= 0:
        hidden |= behind < -right
    scores = scores.masked_fill(hidden, -torch.inf)
    sums = scores.logsumexp(-1)
    # a query that sees no key is given zeros
    weights = scores.softmax(-1).masked_fill(hidden.all(-1)[:, None], 0.0)
    return (weights @ v.float()).to(v.dtype).transpose(1, 2).contiguous(), sums


def flash_attn_func(
    q,
    k,
    v,
    softmax_scale=None,
    causal=False,
    qv=None,
    q_descale=None,
    k_descale=None,
    v_descale=None,
    window_size=(-1, -1),
    attention_chunk=0,
    softcap=0.0,
    *args,
    return_attn_probs=False,
    return_softmax_lse=False,
    **kwargs,
):
    """FlashAttention 3's, whose further arguments choose how, not what, it computes."""
    unsupported(qv=qv, q_descale=q_descale, k_descale=k_descale, v_descale=v_descale)
    unsupported(attention_chunk=attention_chunk)
    out, sums = attend(q, k, v, softmax_scale, causal, tuple(window_size), softcap)
    return (out, sums) if return_attn_probs or return_softmax_lse else out


def flash_attn_varlen_func(
    q,
    k,
    v,
    cu_seqlens_q,
    cu_seqlens_k,
    max_seqlen_q=None,
    max_seqlen_k=None,
    seqused_q=None,
    seqused_k=None,
    softmax_scale=None,
    causal=False,
    qv=None,
    q_descale=None,
    k_descale=None,
    v_descale=None,
    window_size=(-1, -1),
    attention_chunk=0,
    softcap=0.0,
    *args,
    return_attn_probs=False,
    return_softmax_lse=False,
    **kwargs,
):
    """FlashAttention 3 over sequences that lie one after another in q, k and v (N, H, D)."""
    unsupported(qv=qv, q_descale=q_descale, k_descale=k_descale, v_descale=v_descale)
    unsupported(seqused_q=seqused_q, seqused_k=seqused_k, attention_chunk=attention_chunk)
    queries, keys = cu_seqlens_q.tolist(), cu_seqlens_k.tolist()
    out, sums = [], []
    for a, b, c, d in zip(queries, queries[1:], keys, keys[1:], strict=False):
        if b > a:
            part, told = attend(
                q[None, a:b],
                k[None, c:d],
                v[None, c:d],
                softmax_scale,
                causal,
                tuple(window_size),
                softcap,
            )
            out.append(part[0]), sums.append(told[0])
    rest = len(q) - sum(map(len, out))
    out = torch.cat([*out, q.new_zeros(rest, *q.shape[1:])])
    return (out, torch.cat(sums, 1)) if return_attn_probs or return_softmax_lse else out


def flash_attn_2_func(
    q,
    k,
    v,
    dropout_p=0.0,
    softmax_scale=None,
    causal=False,
    window_size=(-1, -1),
    softcap=0.0,
    **kw,
):
    unsupported(dropout_p=dropout_p, alibi_slopes=kw.get("alibi_slopes"))
    return flash_attn_func(q, k, v, softmax_scale, causal, window_size=window_size, softcap=softcap)


def flash_attn_2_qkvpacked_func(qkv, *args, **kwargs):
    return flash_attn_2_func(*qkv.unbind(2), *args, **kwargs)


def flash_attn_2_varlen_func(
    q,
    k,
    v,
    cu_seqlens_q,
    cu_seqlens_k,
    max_seqlen_q,
    max_seqlen_k,
    dropout_p=0.0,
    softmax_scale=None,
    causal=False,
    window_size=(-1, -1),
    softcap=0.0,
    **kw,
):
    unsupported(dropout_p=dropout_p, alibi_slopes=kw.get("alibi_slopes"))
    return flash_attn_varlen_func(
        q,
        k,
        v,
        cu_seqlens_q,
        cu_seqlens_k,
        softmax_scale=softmax_scale,
        causal=causal,
        window_size=window_size,
        softcap=softcap,
    )


def unsupported(**arguments) -> None:
    for name, value in arguments.items():
        if value is not None and value != 0.0:
            raise NotImplementedError(f"the stand-in for FlashAttention does not know {name}")
