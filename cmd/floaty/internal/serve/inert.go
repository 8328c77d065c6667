package serve

import (
	"strings"

	"floaty/cmd/floaty/internal/printable"
)

// inert returns a foreign name or text as it may stand anywhere: without markup and without what does not print.
func inert(text string) string {
	text = printable.Text(text)
	if !strings.ContainsAny(text, "<>&") {
		return text
	}
	return strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`).Replace(text)
}
