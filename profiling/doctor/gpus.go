package doctor

import "slices"

// gpuAbsent are the codes of NVML on a host that has no GPU to speak of; gpuOK
// those that are well.
var (
	gpuAbsent = []string{"not_built", "no_library", "no_driver", "no_device", "closed", ""}
	gpuOK     = []string{"ok", "starting"}
)

// gpus tells where GPU figures do not come from.
func gpus(g *Gathered) (out []Finding) {
	absent := slices.Contains(gpuAbsent, g.GPU.Code)
	if g.GPU.Wanted && !absent && !slices.Contains(gpuOK, g.GPU.Code) {
		f := found("gpu-nvml", g.Host, "NVML on this host: "+g.GPU.Why+".")
		f.Why = g.GPU.Code
		f.Do = g.GPU.Hint
		out = append(out, f)
	}
	exported := slices.ContainsFunc(g.Endpoints, func(e Endpoint) bool { return e.Role == "gpu" && e.Answered() })
	if !exported && (absent || !g.GPU.Wanted) {
		f := found("gpu-absent", g.Host, "No GPU figures: no NVML on this host and no DCGM exporter among the targets.")
		if !g.GPU.Wanted {
			f.What = "No GPU figures: --gpus is off, and there is no DCGM exporter among the targets."
		} else if g.GPU.Why != "" {
			f.Why = "NVML: " + g.GPU.Why
		}
		f.Do = "run this on the GPU node, or add a DCGM exporter: --target http://HOST:9400"
		out = append(out, f)
	}
	return out
}
