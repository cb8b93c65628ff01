// Says what YAML documents mean to Go, as Helm and kubectl decode them. Documents come on standard input, each ended by a zero
// byte; for each a line goes out: its JSON, or `!` and the error.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"sigs.k8s.io/yaml"
)

func decode(document []byte) (line string) {
	defer func() {
		if cause := recover(); cause != nil {
			line = fmt.Sprintf("!panic: %v", cause)
		}
	}()
	json, err := yaml.YAMLToJSON(document)
	if err != nil {
		return "!" + strings.ReplaceAll(err.Error(), "\n", " ")
	}
	return string(json)
}

func main() {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	output := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer output.Flush()
	for _, document := range bytes.Split(bytes.TrimSuffix(input, []byte{0}), []byte{0}) {
		fmt.Fprintln(output, decode(document))
	}
}
