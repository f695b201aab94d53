//go:build linux && cgo

package gpu

import "github.com/NVIDIA/go-nvml/pkg/nvml"

// trouble is a return code in words.
type trouble struct {
	code      Code
	why, hint string
}

// explain says what a failed call means for the whole GPU or library.
func explain(lib nvml.Interface, ret nvml.Return) trouble {
	switch ret {
	case nvml.SUCCESS:
		return trouble{code: OK}
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return trouble{NoLibrary, "libnvidia-ml.so.1 is not on this host",
			"install the NVIDIA driver; a container needs the NVIDIA runtime with NVIDIA_DRIVER_CAPABILITIES=utility"}
	case nvml.ERROR_DRIVER_NOT_LOADED:
		return trouble{NoDriver, "the kernel module nvidia is not loaded, or its device files are not here",
			"load it with modprobe nvidia; a container needs /dev/nvidiactl and the GPUs' device files"}
	case nvml.ERROR_LIB_RM_VERSION_MISMATCH:
		return trouble{VersionMismatch, "libnvidia-ml.so.1 and the loaded kernel module are of different versions",
			"a driver upgrade leaves this until the module is loaded anew: reboot, or restart the container"}
	case nvml.ERROR_NO_PERMISSION:
		return trouble{NoPermission, "no permission to open the GPU's device files",
			"check /dev/nvidia* and the device cgroup of the container, or run as a user who may read them"}
	case nvml.ERROR_GPU_IS_LOST, nvml.ERROR_GPU_NOT_FOUND:
		return trouble{Lost, "the GPU has fallen off the bus, or cannot be reached",
			"look for XID 79 in the kernel log; the node has to be drained and rebooted"}
	case nvml.ERROR_RESET_REQUIRED:
		return trouble{ResetRequired, "the GPU has to be reset before it can be used again",
			"drain the node, then nvidia-smi --gpu-reset"}
	case nvml.ERROR_UNINITIALIZED:
		return trouble{Failing, "the library was shut down", "start dynascope again"}
	default:
		return trouble{Failing, "the driver says: " + lib.ErrorString(ret), "compare with nvidia-smi, and look for NVRM in the kernel log"}
	}
}

// unsupported says that asking again is of no use.
func unsupported(ret nvml.Return) bool {
	switch ret {
	case nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_FUNCTION_NOT_FOUND, nvml.ERROR_INVALID_ARGUMENT, nvml.ERROR_DEPRECATED,
		nvml.ERROR_ARGUMENT_VERSION_MISMATCH, nvml.ERROR_VGPU_ECC_NOT_SUPPORTED, nvml.ERROR_NO_PERMISSION:
		return true
	}
	return false
}

// reason is why a field is not there, in few words.
func reason(lib nvml.Interface, ret nvml.Return) string {
	switch ret {
	case nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_VGPU_ECC_NOT_SUPPORTED, nvml.ERROR_INVALID_ARGUMENT, nvml.ERROR_DEPRECATED:
		return "not supported"
	case nvml.ERROR_FUNCTION_NOT_FOUND, nvml.ERROR_ARGUMENT_VERSION_MISMATCH:
		return "needs a newer driver"
	case nvml.ERROR_NO_PERMISSION:
		return "no permission"
	}
	return lib.ErrorString(ret)
}

// wholeGPU says that the call failed for the GPU, not for the field.
func wholeGPU(ret nvml.Return) bool {
	switch ret {
	case nvml.ERROR_GPU_IS_LOST, nvml.ERROR_GPU_NOT_FOUND, nvml.ERROR_RESET_REQUIRED, nvml.ERROR_DRIVER_NOT_LOADED,
		nvml.ERROR_LIB_RM_VERSION_MISMATCH, nvml.ERROR_UNINITIALIZED:
		return true
	}
	return false
}
