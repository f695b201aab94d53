#!/usr/bin/env python3
"""Make the tiny model folder of the test bed: a tokenizer and configuration files, no weights.

Run with a python that has `tokenizers` (a venv of the test bed):  python model.py DIR

The mocker answers with random token ids in 1000-1999, so the vocabulary must reach past them: with a smaller one every
request still succeeds, but the answers are empty and no latency family ever appears. DIR/words.txt holds words that are
one token each (written with a leading space), so that a load generator can hit an exact prompt length.
"""
import json
import os
import random
import sys

VOCABULARY = 8192
TEMPLATE = ("{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}")
SPECIAL = ["<|bos|>", "<|eos|>", "<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]


def words(count=5000, seed=7):
    """Distinct random words of two to four syllables, the same for every run."""
    rng, seen = random.Random(seed), {}
    while len(seen) < count:
        seen["".join(rng.choice("bcdfghjklmnprstvwz") + rng.choice("aeiou") + rng.choice(["", "", "n", "r", "s"])
                     for _ in range(rng.randint(2, 4)))] = True
    return list(seen)


def make(folder):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    rng, pool = random.Random(11), words()
    corpus = [" ".join(rng.choice(pool) for _ in range(200)) for _ in range(1500)]
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    size = tok.get_vocab_size()
    if size <= 2000:
        raise SystemExit(f"make the model: the vocabulary has only {size} entries; it must reach past id 2000")
    single = [w for w in pool if len(tok.encode(" " + w).ids) == 1]
    if len(single) < 1000:
        raise SystemExit(f"make the model: only {len(single)} words are one token each; expected at least 1000")

    os.makedirs(folder, exist_ok=True)
    tok.save(os.path.join(folder, "tokenizer.json"))

    def put(name, value):
        with open(os.path.join(folder, name), "w") as f:
            json.dump(value, f, indent=1)
    put("config.json", {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 64, "intermediate_size": 128,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 8192,
        "vocab_size": size, "bos_token_id": 0, "eos_token_id": 1, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
        "hidden_act": "silu", "tie_word_embeddings": True, "torch_dtype": "bfloat16"})
    put("tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": SPECIAL[0], "eos_token": SPECIAL[1],
        "pad_token": SPECIAL[2], "model_max_length": 8192, "chat_template": TEMPLATE})
    put("generation_config.json", {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2, "do_sample": True})
    with open(os.path.join(folder, "words.txt"), "w") as f:  # last: it marks the folder as complete
        f.write("\n".join(single) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: model.py DIR")
    make(sys.argv[1])
