package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"keyreeve/pkg/awscall"
	"keyreeve/pkg/guard"
)

// readSecrets fills the secret variables that the environment leaves out from the JSON object in Secrets Manager.
func readSecrets(ctx context.Context, config *Config) error {
	if config.Secrets == "" {
		return nil
	}
	options := secretsmanager.Options{Region: config.Region, Credentials: config.credentials(), HTTPClient: awscall.Client(newTransport(), awsTimeout)}
	if address := config.endpoint(config.SecretsManagerEndpoint); address != "" {
		options.BaseEndpoint = &address
	}
	client := secretsmanager.New(options)
	answer, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &config.Secrets})
	if err != nil {
		// AWS quotes from the request, session token and all.
		reason := "no answer"
		if known, ok := errors.AsType[smithy.APIError](err); ok {
			reason = awscall.Code(known.ErrorCode())
		}
		return fmt.Errorf("KEYREEVE_SECRETS: what it names could not be read from Secrets Manager (%s)", reason)
	}
	var members map[string]string
	if err := json.Unmarshal([]byte(aws.ToString(answer.SecretString)), &members); err != nil {
		// The decoder's own error would quote from the secret.
		return errors.New("KEYREEVE_SECRETS: what it names must hold a JSON object of strings")
	}
	fields := reflect.ValueOf(config).Elem()
	for i := range fields.NumField() {
		field, variable := fields.Field(i), fields.Type().Field(i).Tag.Get("envconfig")
		if hidden, ok := reflect.TypeAssert[*secret](field.Addr()); ok && hidden.Reveal() == "" {
			hidden.Secret = guard.NewSecret(members[variable])
		}
	}
	return nil
}

func (c Config) credentials() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey.Reveal(), SessionToken: c.SessionToken.Reveal(),
			Source: "environment",
		}, nil
	})
}

// endpoint is the address of a service, as the SDKs have it: its own before the general one, before the real one.
func (c Config) endpoint(own string) string { return cmp.Or(own, c.Endpoint) }
