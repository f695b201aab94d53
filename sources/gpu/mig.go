//go:build linux && cgo

package gpu

import (
	"slices"
	"strconv"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// instance is a MIG device: a compute instance in a GPU instance, of which
// there is mostly one.
type instance struct {
	dev         nvml.Device
	gpu, engine int
	profile     string // of the GPU instance, as in 1g.10gb
}

func (in instance) labels() string {
	return label("GPU_I_PROFILE", in.profile) + label("GPU_I_ID", strconv.Itoa(in.gpu))
}

// readMIG finds the MIG devices. What a GPU supports changes with its mode.
func readMIG(d *device) ([]sample, nvml.Return) {
	mode, _, ret := d.dev.GetMigMode()
	if ret != nvml.SUCCESS {
		return nil, ret
	}
	var found []instance
	if on := mode == nvml.DEVICE_MIG_ENABLE; on {
		most, ret := d.dev.GetMaxMigDeviceCount()
		if ret != nvml.SUCCESS {
			return nil, ret
		}
		for i := range most {
			dev, ret := d.dev.GetMigDeviceHandleByIndex(i)
			if ret != nvml.SUCCESS {
				continue // a free place
			}
			in := instance{dev: dev}
			if in.gpu, ret = dev.GetGpuInstanceId(); ret != nvml.SUCCESS {
				continue
			}
			in.engine, _ = dev.GetComputeInstanceId()
			name, _ := dev.GetName()
			in.profile = profileOf(name)
			found = append(found, in)
		}
	}
	slices.SortFunc(found, func(a, b instance) int {
		if a.gpu != b.gpu {
			return a.gpu - b.gpu
		}
		return a.engine - b.engine
	})
	same := func(a, b instance) bool { return a.gpu == b.gpu && a.engine == b.engine && a.profile == b.profile }
	if changed := d.mig != (mode == nvml.DEVICE_MIG_ENABLE) || !slices.EqualFunc(found, d.instances, same); changed {
		d.again()
		d.release()
		clear(d.activity)
	}
	d.mig, d.instances = mode == nvml.DEVICE_MIG_ENABLE, found
	return []sample{{"dynascope_gpu_mig_instances", "", float64(d.gpuInstances())}}, nvml.SUCCESS
}

// gpuInstances counts GPU instances, each once.
func (d *device) gpuInstances() int { return len(d.slices()) }

// slices is one MIG device for each GPU instance: memory and activity are the
// instance's, whatever compute instances share it.
func (d *device) slices() []instance {
	return slices.CompactFunc(slices.Clone(d.instances), func(a, b instance) bool { return a.gpu == b.gpu })
}

// profileOf reads the profile of the GPU instance out of a MIG device's name,
// "NVIDIA H100 80GB HBM3 MIG 1c.2g.20gb".
func profileOf(name string) string {
	_, profile, ok := strings.Cut(name, " MIG ")
	if !ok {
		return ""
	}
	if compute, rest, ok := strings.Cut(profile, "."); ok && strings.HasSuffix(compute, "c") {
		profile = rest
	}
	return profile
}
