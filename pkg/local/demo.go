package main

// templateParameters are those of the template as a laptop deploys it. One that the template does not declare has no
// effect.
func templateParameters() map[string]string {
	return map[string]string{
		// What the secret would hold is given to the functions as it is.
		"SecretId": "",
		// On these POST /_events stands in for the partner.
		"OktaEventBus":  "aws.partner/okta.com/example/keyreeve",
		"Auth0EventBus": "aws.partner/auth0.com/example/keyreeve",
	}
}
