// Decode kind configuration files strictly into kind's own v1alpha4 types.
//
// An unknown field, a wrong type or another apiVersion ends the run with status 1 and the decoder's message.
package main

import (
	"bytes"
	"fmt"
	"os"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
)

const apiVersion = "kind.x-k8s.io/v1alpha4"

func decode(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	cluster := v1alpha4.Cluster{}
	if err := decoder.Decode(&cluster); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if cluster.APIVersion != apiVersion || cluster.Kind != "Cluster" {
		return fmt.Errorf("%s: want %s Cluster, found %s %s", path, apiVersion, cluster.APIVersion, cluster.Kind)
	}
	v1alpha4.SetDefaultsCluster(&cluster)
	fmt.Printf("%s: %d node(s), ipFamily %s\n", cluster.Name, len(cluster.Nodes), cluster.Networking.IPFamily)
	return nil
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: go run . FILE...")
		os.Exit(2)
	}
	for _, path := range os.Args[1:] {
		if err := decode(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
