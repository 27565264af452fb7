"""Golden files of language models: tests/vectors/language/NAME.{gguf,ids.npy,layers.npy,states.npy,logits.npy}.

    python tools/golden/language.py [FOLDER]

LlamaForCausalLM and Qwen2ForCausalLM of transformers with random weights at tiny sizes, in F32. The GGUF is written as llama.cpp
has such models: its tensor names, LLaMA's queries and keys permuted for interleaved rotary pairs, LLaMA 3's scaling as
rope_freqs.weight. layers: (layer, row, width), what each layer gives; states: after the last norm; logits.

Made with torch 2.15.0, transformers 5.23.0, gguf 0.19.0, numpy 2.4.6.
"""
import math
import pathlib
import sys

import gguf
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

VOCABULARY, ROWS = 64, 16
LLAMA3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}


def plain(theta):
    return {"rope_type": "default", "rope_theta": theta}


CASES = {
    "llama": (LlamaConfig, dict(num_key_value_heads=2, rope_parameters=plain(10000.0))),
    "llama-tied": (LlamaConfig, dict(num_key_value_heads=1, head_dim=16, tie_word_embeddings=True, rope_parameters=plain(100000.0))),
    "llama3": (LlamaConfig, dict(num_key_value_heads=4, rope_parameters=LLAMA3)),
    "qwen2": (Qwen2Config, dict(num_key_value_heads=2, tie_word_embeddings=True, rope_parameters=plain(1000000.0))),
    "qwen2-untied": (Qwen2Config, dict(num_key_value_heads=1, rope_parameters=plain(10000.0))),
}


def make(config_class, options):
    config = config_class(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                          max_position_embeddings=256, rms_norm_eps=1e-5, **{"tie_word_embeddings": False, **options})
    model = (LlamaForCausalLM if config_class is LlamaConfig else Qwen2ForCausalLM)(config).to(torch.float32).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1:
                weight.normal_(0.0, 0.3)
                if name.endswith("norm.weight"):
                    weight.add_(1.0)
            else:
                weight.normal_(0.0, 1.0 if "embed" in name else 0.25)
    return config, model


def permuted(weight, heads):
    """Halves to neighbours, as llama.cpp's converter does for LLaMA."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def rope_factors(config):
    p, head = config.rope_parameters, getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    low = p["original_max_position_embeddings"] / p["low_freq_factor"]
    high = p["original_max_position_embeddings"] / p["high_freq_factor"]
    factors = []
    for i in range(0, head, 2):
        length = 2 * math.pi * p["rope_theta"] ** (i / head)
        smooth = (p["original_max_position_embeddings"] / length - p["low_freq_factor"]) / (p["high_freq_factor"] - p["low_freq_factor"])
        factors.append(1.0 if length < high else p["factor"] if length > low else 1 / ((1 - smooth) / p["factor"] + smooth))
    return np.array(factors, dtype=np.float32)


def write_gguf(path, config, model):
    llama = isinstance(config, LlamaConfig)
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    w = gguf.GGUFWriter(str(path), "llama" if llama else "qwen2")
    w.add_name("golden " + path.stem)
    w.add_context_length(config.max_position_embeddings)
    w.add_embedding_length(config.hidden_size)
    w.add_block_count(config.num_hidden_layers)
    w.add_feed_forward_length(config.intermediate_size)
    w.add_head_count(config.num_attention_heads)
    w.add_head_count_kv(config.num_key_value_heads)
    w.add_key_length(head)
    w.add_value_length(head)
    w.add_layer_norm_rms_eps(config.rms_norm_eps)
    w.add_rope_freq_base(config.rope_parameters["rope_theta"])
    w.add_rope_dimension_count(head)
    w.add_vocab_size(VOCABULARY)
    w.add_tokenizer_model("llama")
    w.add_token_list([b"<unk>", b"<s>", b"</s>"] + [bytes([97 + i % 26, 97 + i // 26]) for i in range(VOCABULARY - 3)])
    w.add_token_scores([float(-i) for i in range(VOCABULARY)])
    w.add_token_types([2, 3, 3] + [1] * (VOCABULARY - 3))
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    names = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
             "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
             "post_attention_layernorm": "ffn_norm"}
    if config.rope_parameters["rope_type"] == "llama3":
        w.add_tensor("rope_freqs.weight", rope_factors(config))
    for name, tensor in model.state_dict().items():
        data = tensor.numpy().copy()
        if name == "lm_head.weight":
            if not config.tie_word_embeddings:
                w.add_tensor("output.weight", data)
        elif name == "model.embed_tokens.weight":
            w.add_tensor("token_embd.weight", data)
        elif name == "model.norm.weight":
            w.add_tensor("output_norm.weight", data)
        else:
            layer, part = name.removeprefix("model.layers.").split(".", 1)
            part, kind = part.rsplit(".", 1)
            if llama and part in ("self_attn.q_proj", "self_attn.k_proj"):
                heads = config.num_attention_heads if part.endswith("q_proj") else config.num_key_value_heads
                data = permuted(data, heads)
            w.add_tensor(f"blk.{layer}.{names[part]}.{kind}", data)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, (config_class, options)) in enumerate(CASES.items()):
        torch.manual_seed(number)
        config, model = make(config_class, options)
        write_gguf(folder / f"{name}.gguf", config, model)
        ids = torch.randint(0, VOCABULARY, (1, ROWS))
        layers = []
        hooks = [layer.register_forward_hook(lambda module, inputs, out: layers.append(out[0] if isinstance(out, tuple) else out))
                 for layer in model.model.layers]
        with torch.no_grad():
            states = model.model(ids).last_hidden_state[0]
            logits = model.lm_head(states)
        for hook in hooks:
            hook.remove()
        layers = torch.stack([x.reshape(ROWS, -1) for x in layers])
        np.save(folder / f"{name}.ids.npy", ids[0].numpy().astype(np.int32))
        np.save(folder / f"{name}.layers.npy", layers.numpy())
        np.save(folder / f"{name}.states.npy", states.numpy())
        np.save(folder / f"{name}.logits.npy", logits.numpy())
        print(name, tuple(layers.shape), float(logits.std()))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2] / "tests/vectors/language"))
