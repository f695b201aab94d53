package deployment

import (
	"fmt"
	"slices"
	"strings"
)

// name gives each deployment the shortest name that tells it apart: namespace
// and model, then with its place in the cluster, then with its first target.
func name(ds []Deployment) {
	ways := []func(Deployment) string{
		func(d Deployment) string { return path(d.Namespace, d) },
		func(d Deployment) string { return path(d.Place, d) },
		func(d Deployment) string { return path(d.Place+"/"+d.Namespace, d) },
		func(d Deployment) string {
			if len(d.Scope.Instances) == 0 {
				return ""
			}
			return strings.TrimSpace(path(d.Namespace, d) + " " + slices.Min(d.Scope.Instances))
		},
	}
	for _, way := range ways {
		count := map[string]int{}
		for _, d := range ds {
			count[way(d)]++
		}
		for i := range ds {
			if n := way(ds[i]); ds[i].Name == "" && n != "" && count[n] == 1 {
				ds[i].Name = n
			}
		}
	}
	for i := range ds { // equal to the last; the order tells them apart
		if ds[i].Name == "" {
			ds[i].Name = fmt.Sprintf("%s %d", path(ds[i].Namespace, ds[i]), i+1)
		}
	}
}

func path(before string, d Deployment) string {
	return strings.Trim(before+"/"+strings.Join(d.Models, "+"), "/")
}
