// Bare is a function that does nothing: what every Go function on Lambda starts with, to hold ours against.
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() { lambda.Start(func() {}) }
