package serve

import (
	"strings"

	"floaty/cmd/floaty/internal/printable"
)

// inert returns text from elsewhere in a form that is safe in any output: characters of markup and those that do not print are escaped.
func inert(text string) string {
	text = printable.Text(text)
	if !strings.ContainsAny(text, "<>&") {
		return text
	}
	return strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`).Replace(text)
}
