#!/usr/bin/env python3
"""Write a trained model as GGUF (Q8_0): export.py MODEL_DIR OUT.gguf"""

import argparse
import hashlib
import json
import pathlib

import gguf
import torch

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% endif %}{{ '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def add_tokenizer(writer, path):
    described = json.loads(path.read_text(encoding="utf-8"))
    vocab = sorted(described["model"]["vocab"].items(), key=lambda item: item[1])
    special = {token["content"] for token in described["added_tokens"]}
    ids = dict(vocab)
    if [index for _, index in vocab] != list(range(len(vocab))):
        raise ValueError("token ids are not contiguous")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([token for token, _ in vocab])
    writer.add_token_types([gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token, _ in vocab])
    writer.add_token_merges([" ".join(merge) if isinstance(merge, list) else merge for merge in described["model"]["merges"]])
    writer.add_bos_token_id(ids["<|endoftext|>"])
    writer.add_eos_token_id(ids["<|im_end|>"])
    writer.add_eot_token_id(ids["<|im_end|>"])
    writer.add_pad_token_id(ids["<|endoftext|>"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def export(folder, out):
    loaded = torch.load(folder / "model.pt", map_location="cpu")
    config, state = loaded["config"], loaded["state"]
    writer = gguf.GGUFWriter(str(out), "llama")
    writer.add_name("Subrosa demo model (toy)")
    writer.add_description("A toy chat model trained from scratch on generated text. It knows a few dozen answers.")
    writer.add_license("Apache-2.0 OR MIT")
    writer.add_languages(["en"])
    writer.add_vocab_size(config["vocab"])
    writer.add_context_length(config["context"])
    writer.add_embedding_length(config["width"])
    writer.add_block_count(config["layers"])
    writer.add_feed_forward_length(config["hidden"])
    writer.add_head_count(config["heads"])
    writer.add_head_count_kv(config["kv_heads"])
    writer.add_layer_norm_rms_eps(config["epsilon"])
    writer.add_rope_dimension_count(config["width"] // config["heads"])
    writer.add_rope_freq_base(config["rope_base"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add_tokenizer(writer, folder / "tokenizer.json")
    for name, tensor in state.items():
        values = tensor.to(torch.float32).numpy()
        if values.ndim == 2:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    args = parser.parse_args()
    export(args.folder, args.out)
    digest = hashlib.sha256(args.out.read_bytes()).hexdigest()
    args.out.with_suffix(".sha256").write_text(f"{digest}  {args.out.name}\n", encoding="utf-8")
    print(f"{args.out}: {args.out.stat().st_size} bytes, sha256 {digest}")


if __name__ == "__main__":
    main()
