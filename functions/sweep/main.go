// Sweep looks at every key of the contract and has done what is due by the policies that are armed.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"keyreeve/pkg/app"
)

func main() {
	handler, err := app.NewSweep(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lambda.Start(handler)
}
