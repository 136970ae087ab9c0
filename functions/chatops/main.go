// Chatops takes commands about access keys from Slack, and answers there.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"keyreeve/pkg/app"
)

func main() {
	handler, err := app.NewChatOps(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lambda.Start(handler)
}
