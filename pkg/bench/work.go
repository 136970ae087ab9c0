package main

import (
	"context"
	"fmt"
	"path/filepath"

	"keyreeve/pkg/ionos/ionostest"
)

// people is how many people's keys the functions go through.
const people = 50

// work gives the functions that are about keys the same day: one person after the other, whose keys are switched off, on, shown, switched
// off again and deleted. Then it counts the connections that each function made, and asks how much memory it took.
func work(ctx context.Context, dir string) (table, error) {
	w, err := newWorld(dir, 0, 0)
	if err != nil {
		return nil, err
	}
	defer w.close()
	crew := make(map[string]*function)
	fronts := make(map[string]*front)
	for _, name := range keyFunctions() {
		if fronts[name], err = w.newFront(); err != nil {
			return nil, err
		}
		defer fronts[name].Close()
		if crew[name], err = start(ctx, filepath.Join(dir, name), w.environment(fronts[name])); err != nil {
			return nil, err
		}
		defer crew[name].stop()
	}
	for i := range people {
		if err := w.day(crew, w.newPerson(fmt.Sprintf("person%d", i))); err != nil {
			return nil, err
		}
	}
	var rows table
	for _, name := range keyFunctions() {
		rows = append(rows, row{
			what: fmt.Sprintf("Connections of `%s` to IONOS", name), how: fmt.Sprintf("%d invocations", crew[name].invocations),
			value: float64(fronts[name].connections.Load()), limit: 1, form: "%.0f",
		})
	}
	for _, name := range keyFunctions() {
		peak, err := crew[name].peakMemory()
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{
			what: fmt.Sprintf("Peak memory of `%s`", name), how: fmt.Sprintf("resident, after %d invocations", crew[name].invocations),
			value: megabytes(peak), limit: 40, form: "%.1f MB",
		})
	}
	return rows, nil
}

func (w *world) day(crew map[string]*function, person ionostest.User) error {
	for _, task := range []struct {
		function, action, outcome string
		active                    bool
	}{
		{"deactivate", "deactivate", "changed", false},
		{"activate", "activate", "changed", true},
		{"inventory", "", "", true},
		{"deactivate", "deactivate", "changed", false},
		{"delete", "delete", "changed", false},
	} {
		req := request{Action: task.action, User: person.Email}
		if task.action == "deactivate" {
			req.Override = []string{"last_active_key"}
		}
		if _, err := crew[task.function].ask(req, task.outcome, task.active); err != nil {
			return err
		}
	}
	if keys := w.ionos.Keys(person.ID); len(keys) > 0 {
		return fmt.Errorf("%s has %d keys left", person.Email, len(keys))
	}
	return nil
}
