package page

import (
	"strconv"
	"strings"
)

// DCGMOptions says what a GPU exporter sees.
type DCGMOptions struct {
	Hostname string
	Driver   string
	// LowerHostname spells the label hostname, as exporters since May 2026.
	LowerHostname bool
	// Older spells what was renamed since as older exporters do.
	Older bool
	// Extra adds what the exporter's default list leaves out: SM activity,
	// throttle times, ECC, NVLink errors.
	Extra bool
}

// DCGMPage is the page of a DCGM exporter (port 9400).
type DCGMPage struct {
	Page
	src source
}

// DCGM makes the page of an exporter without a GPU yet.
func DCGM(o DCGMOptions) *DCGMPage {
	d := &DCGMPage{}
	d.src = source{page: &d.Page, table: "dcgm", gen: Gen16, style: exporter, digits: dcgmDigits}
	d.src.fixed = map[string]string{"Hostname": o.Hostname, "DCGM_FI_DRIVER_VERSION": or(o.Driver, "580.95.05")}
	if o.LowerHostname {
		delete(d.src.fixed, "Hostname")
		d.src.fixed["hostname"] = o.Hostname
	}
	if o.Older {
		d.src.gen = Gen14
	}
	if o.Extra {
		d.src.features = []string{"extra"}
	}
	return d
}

// dcgmDigits: the exporter writes what is a floating point number in DCGM with
// six decimals, the rest as integers.
func dcgmDigits(family string) int {
	if strings.HasSuffix(family, "POWER_USAGE") || strings.HasSuffix(family, "POWER_LIMIT") || strings.HasSuffix(family, "MGMT_LIMIT") || strings.Contains(family, "_PROF_") && !strings.HasSuffix(family, "BYTES") {
		return 6
	}
	return 0
}

// GPU is one device of the exporter.
type GPU struct {
	Util     *Gauge   `family:"DCGM_FI_DEV_GPU_UTIL"`                 // percent
	MemUtil  *Gauge   `family:"DCGM_FI_DEV_MEM_COPY_UTIL"`            // percent
	EncUtil  *Gauge   `family:"DCGM_FI_DEV_ENC_UTIL"`                 // percent
	DecUtil  *Gauge   `family:"DCGM_FI_DEV_DEC_UTIL"`                 // percent
	SMClock  *Gauge   `family:"DCGM_FI_DEV_SM_CLOCK"`                 // MHz
	MemClock *Gauge   `family:"DCGM_FI_DEV_MEM_CLOCK"`                // MHz
	Temp     *Gauge   `family:"DCGM_FI_DEV_GPU_TEMP"`                 // °C
	MemTemp  *Gauge   `family:"DCGM_FI_DEV_MEMORY_TEMP"`              // °C
	Power    *Gauge   `family:"DCGM_FI_DEV_POWER_USAGE"`              // W
	Energy   *Counter `family:"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"` // mJ
	MemUsed  *Gauge   `family:"DCGM_FI_DEV_FB_USED"`                  // MiB
	MemFree  *Gauge   `family:"DCGM_FI_DEV_FB_FREE"`                  // MiB
	MemRest  *Gauge   `family:"DCGM_FI_DEV_FB_RESERVED"`              // MiB

	// Limits of the board, and why the clocks are below them.
	MaxSMClock    *Gauge `family:"DCGM_FI_DEV_MAX_SM_CLOCK"`                                            // MHz
	MaxMemClock   *Gauge `family:"DCGM_FI_DEV_MAX_MEM_CLOCK"`                                           // MHz
	PowerLimit    *Gauge `family:"DCGM_FI_DEV_POWER_MGMT_LIMIT"`                                        // W
	EnforcedLimit *Gauge `family:"DCGM_FI_DEV_ENFORCED_POWER_LIMIT"`                                    // W
	SlowdownTemp  *Gauge `family:"DCGM_FI_DEV_SLOWDOWN_TEMP"`                                           // °C
	ClockReasons  *Gauge `family:"DCGM_FI_DEV_CLOCKS_EVENT_REASONS|DCGM_FI_DEV_CLOCK_THROTTLE_REASONS"` // NVML's bit mask

	PCIeReplays  *Counter `family:"DCGM_FI_DEV_PCIE_REPLAY_COUNTER"`
	XID          *Gauge   `family:"DCGM_FI_DEV_XID_ERRORS"`             // the last code, sticky
	NVLinkMBs    *Gauge   `family:"DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL"` // MB/s: a rate, though typed counter
	RowsFixed    *Counter `family:"DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS"`
	RowsLost     *Counter `family:"DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS"`
	RemapFailure *Gauge   `family:"DCGM_FI_DEV_ROW_REMAP_FAILURE"`

	Graphics    *Gauge `family:"DCGM_FI_PROF_GR_ENGINE_ACTIVE"`   // 0-1
	Tensor      *Gauge `family:"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"` // 0-1
	DRAM        *Gauge `family:"DCGM_FI_PROF_DRAM_ACTIVE"`        // 0-1
	PCIeTx      *Gauge `family:"DCGM_FI_PROF_PCIE_TX_BYTES"`      // bytes/s
	PCIeRx      *Gauge `family:"DCGM_FI_PROF_PCIE_RX_BYTES"`      // bytes/s
	SMActive    *Gauge `family:"DCGM_FI_PROF_SM_ACTIVE"`          // 0-1
	SMOccupancy *Gauge `family:"DCGM_FI_PROF_SM_OCCUPANCY"`       // 0-1
	FP64        *Gauge `family:"DCGM_FI_PROF_PIPE_FP64_ACTIVE"`   // 0-1
	FP32        *Gauge `family:"DCGM_FI_PROF_PIPE_FP32_ACTIVE"`   // 0-1
	FP16        *Gauge `family:"DCGM_FI_PROF_PIPE_FP16_ACTIVE"`   // 0-1
	NVLinkTx    *Gauge `family:"DCGM_FI_PROF_NVLINK_TX_BYTES"`    // bytes/s
	NVLinkRx    *Gauge `family:"DCGM_FI_PROF_NVLINK_RX_BYTES"`    // bytes/s

	// Time throttled, in nanoseconds.
	PowerThrottle       *Counter `family:"DCGM_FI_DEV_POWER_VIOLATION"`
	ThermalThrottle     *Counter `family:"DCGM_FI_DEV_THERMAL_VIOLATION"`
	SyncBoostThrottle   *Counter `family:"DCGM_FI_DEV_SYNC_BOOST_VIOLATION"`
	BoardThrottle       *Counter `family:"DCGM_FI_DEV_BOARD_LIMIT_VIOLATION"`
	LowUtilThrottle     *Counter `family:"DCGM_FI_DEV_LOW_UTIL_VIOLATION"`
	ReliabilityThrottle *Counter `family:"DCGM_FI_DEV_RELIABILITY_VIOLATION"`

	ECCSingle      *Counter `family:"DCGM_FI_DEV_ECC_SBE_VOL_TOTAL"`
	ECCDouble      *Counter `family:"DCGM_FI_DEV_ECC_DBE_VOL_TOTAL"`
	ECCSingleEver  *Counter `family:"DCGM_FI_DEV_ECC_SBE_AGG_TOTAL"`
	ECCDoubleEver  *Counter `family:"DCGM_FI_DEV_ECC_DBE_AGG_TOTAL"`
	RetiredSingle  *Counter `family:"DCGM_FI_DEV_RETIRED_SBE"`
	RetiredDouble  *Counter `family:"DCGM_FI_DEV_RETIRED_DBE"`
	RetiredPending *Counter `family:"DCGM_FI_DEV_RETIRED_PENDING"`
	NVLinkFlit     *Counter `family:"DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL"`
	NVLinkData     *Counter `family:"DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL"`
	NVLinkReplay   *Counter `family:"DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL"`
	NVLinkRecovery *Counter `family:"DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL"`

	ClockEvents *Gauge `family:"DCGM_EXP_CLOCK_EVENTS_COUNT"` // event
	XIDCount    *Gauge `family:"DCGM_EXP_XID_ERRORS_COUNT"`   // code
	Health      *Gauge `family:"DCGM_EXP_GPU_HEALTH_STATUS"`  // watch
}

// Device says which GPU it is.
type Device struct {
	Index             int
	UUID, Model, PCI  string
	MIGProfile, MIGID string // empty without MIG
}

// Add puts a GPU on the page; every family of the exporter is there at zero.
func (d *DCGMPage) Add(dev Device) *GPU {
	fixed := map[string]string{
		"gpu": strconv.Itoa(dev.Index), "UUID": dev.UUID, "modelName": dev.Model,
		"pci_bus_id": dev.PCI, "device": "nvidia" + strconv.Itoa(dev.Index),
	}
	if dev.MIGID != "" {
		fixed["GPU_I_PROFILE"], fixed["GPU_I_ID"] = dev.MIGProfile, dev.MIGID
	}
	g := &GPU{}
	d.src.with(fixed).declare().bind(g)
	return g
}
