package trace

import "testing"

// TestRulesCatchTheirExample holds each row to its own literal kernel name: a
// rule that another one shadows is a dead rule.
func TestRulesCatchTheirExample(t *testing.T) {
	for i, r := range rules {
		if got := match(r.Example); got != i {
			by := Other
			if got >= 0 {
				by = rules[got].Category + " by " + rules[got].Has[0]
			}
			t.Errorf("row %d (%s, %v): its example %q goes to %s", i+2, r.Category, r.Has, r.Example, by)
		}
	}
}

// TestKnownMisreadings are names that keyword classifiers are known to put in
// the wrong place.
func TestKnownMisreadings(t *testing.T) {
	for name, want := range map[string]string{
		"void cutlass::device_kernel<flash::FlashAttnFwdSm90<>>": "attention",
		"FlashAttnFwdCombine":                    "attention",
		"prepare_varlen_num_blocks":              "attention",
		"void topkGatingSoftmax<float, 4, 128>":  "moe routing",
		"triton_per_fused_copy_0":                "elementwise and reduce",
		"fused_qknorm_warp":                      "norm and rope",
		"moe_align_block_size_kernel":            "moe routing",
		"trtllm_allreduce_fusion_kernel_oneshot": "communication",
		"cross_device_reduce_2stage":             "communication",
		"_w8a8_block_fp8_matmul_quant":           "gemm",
		"deep_gemm::fp8_gemm_kernel":             "gemm",
		"void at::native::elementwise_kernel<128, 2, direct_copy_kernel_cuda()>":    "copies in kernels",
		"Memcpy DtoH (Device -> Pinned)":                                            Other,
		"my_own_kernel":                                                             Other,
		"void at::native::vectorized_elementwise_kernel<4, BinaryFunctor<MulFunc>>": "elementwise and reduce",
	} {
		if got, _ := Classify(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

func TestStepNames(t *testing.T) {
	for _, r := range stepRules {
		if k, _, _ := step(r.example); k != r.kind {
			t.Errorf("%q: %s, want %s", r.example, k, r.kind)
		}
	}
	for _, c := range []struct {
		name          string
		batch, tokens int
	}{
		{"step[EXTEND bs=4 toks=1024]", 4, 1024},
		{"step[DECODE bs=16]", 16, 0},
		{"execute_context_1(512)_generation_8(8)", 9, 520},
	} {
		if _, b, n := step(c.name); b != c.batch || n != c.tokens {
			t.Errorf("%q: batch %d tokens %d, want %d %d", c.name, b, n, c.batch, c.tokens)
		}
	}
}
