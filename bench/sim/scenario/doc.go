// Package scenario is the script of a simulated deployment as typed data: its
// shape, the load on it over time, and what goes wrong when. Load reads a
// scenario from YAML, strictly: an unknown key, a wrong unit or a value out of
// range is an error with file, line, column and a hint. The shipped scenarios
// are embedded; docs/scenarios.md is generated from the types of this package
// (the comment of each field, and its tags).
//
// It simulates nothing, knows no clock and no metric name. Every function is
// pure; randomness comes from a generator that the caller seeds, so that the
// same seed gives the same requests at the same times.
//
// Tags of the fields: yaml is the key; unit, default and enum are documented
// and in force (defaults are applied by the decoder alone); range is an
// interval such as [0,1] or (0,); ex is an example for the document.
package scenario
