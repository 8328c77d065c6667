package docs_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The figures of sizing.md are upper limits for the latest results of the benchmark.
func TestTheBenchmarkMeetsTheFiguresOfSizing(t *testing.T) {
	results := tableRows(t, "../bench/RESULTS.md", "| figure |")
	quoted := tableRows(t, "sizing.md", "| what | at most |")
	if len(quoted) < 5 {
		t.Errorf("sizing.md: got %d figures, want at least 5", len(quoted))
	}
	for _, quote := range quoted {
		limit, unit, addresses, name := quote[1], quote[2], quote[3], quote[4]
		i := slices.IndexFunc(results, func(row []string) bool {
			return row[0] == name && row[1] == addresses && row[2] == unit
		})
		if i < 0 {
			t.Errorf("sizing.md: RESULTS.md has no row %q of %s addresses in %q", name, addresses, unit)
			continue
		}
		if found, most := number(t, results[i][3]), number(t, limit); found > most {
			t.Errorf("sizing.md: %q is given as at most %v %s, but the benchmark measured %v", quote[0], most, unit, found)
		}
	}
}

// tableRows returns the cells of the rows of all tables of a page that begin with this header.
func tableRows(t *testing.T, page, head string) (rows [][]string) {
	t.Helper()
	for _, table := range strings.Split("\n"+read(t, page), "\n"+head)[1:] {
		table, _, _ = strings.Cut(table, "\n\n")
		for _, row := range strings.Split(strings.TrimSpace(table), "\n")[2:] {
			cells := strings.Split(strings.Trim(row, "| "), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows = append(rows, cells)
		}
	}
	return rows
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}
