// Activate activates access keys.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"keyreeve/pkg/app"
)

func main() {
	handler, err := app.NewAction(context.Background(), "activate")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lambda.Start(handler)
}
