// Notify tells a Slack channel, and the owners of the keys, what became of requests and what sweeps found.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"keyreeve/pkg/app"
)

func main() {
	handler, err := app.NewNotify(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lambda.Start(handler)
}
