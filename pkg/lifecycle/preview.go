package lifecycle

import (
	"context"

	"keyreeve/pkg/guard"
)

// Preview says what would become of a valid request: the result of a dry run. It takes no lease, announces nothing, and
// changes nothing, so that it may be overtaken. Its errors are those of [Lifecycle.Do].
func (r Reader) Preview(ctx context.Context, req guard.Request) (guard.Result, error) {
	user, administers, err := r.who(ctx, req)
	if err != nil {
		return guard.Result{}, err
	}
	reading, err := r.read(ctx, user, administers)
	if err != nil {
		return guard.Result{}, err
	}
	dry := run{Lifecycle: Lifecycle{Reader: r}, req: req}
	dry.Ledger = dryLedger{r.Ledger}
	verdicts, err := dry.judge(ctx, &reading)
	if err != nil {
		return guard.Result{}, err
	}
	result := guard.Result{
		ID: req.ID, Action: req.Action, User: user, DryRun: true,
		Keys: make([]guard.KeyResult, len(verdicts)), Warnings: guard.Warnings(req, user), OffboardedAt: reading.Memory.OffboardedAt,
	}
	for i, v := range verdicts {
		if result.Keys[i] = withheld(v); v.Allowed() {
			result.Keys[i] = dry.done(v)
		}
	}
	return result, nil
}
