// Says what YAML documents mean to Go, as Helm and kubectl decode them. Documents come on standard input, each ended by a zero
// byte; for each a line goes out: its JSON, or `!` and the error. Whoever asks may wait for the answer before the next question.
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
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	output := bufio.NewWriterSize(os.Stdout, 1<<20)
	for {
		document, err := input.ReadBytes(0)
		if err != nil && err != io.EOF {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err == nil {
			fmt.Fprintln(output, decode(bytes.TrimSuffix(document, []byte{0})))
		}
		if err == io.EOF || input.Buffered() == 0 {
			if output.Flush() != nil || err == io.EOF {
				return
			}
		}
	}
}
