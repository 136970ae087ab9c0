package main

import (
	"encoding/base64"
	"strings"
)

// templateParameters are those of the template as a laptop deploys it. One that the template does not declare has no
// effect.
func templateParameters(o options) map[string]string {
	parameters := map[string]string{
		// What the secret would hold is given to the functions as it is.
		"SecretId": "",
		// On these POST /_events stands in for the partner.
		"OktaEventBus":  "aws.partner/okta.com/example/keyreeve",
		"Auth0EventBus": "aws.partner/auth0.com/example/keyreeve",
	}
	if !o.realContract() {
		parameters["MaxKeyAge"] = "8760h" // so that a sweep has something to say of age; it only reports
	}
	if o.fakeSlack() || o.ownSlack() {
		parameters["Slack"] = "on"
	}
	if o.fakeSlack() {
		parameters["SlackNoticeChannel"] = noticeChannel
	}
	return parameters
}

// demoSecrets are variables that switch every sender on, each with a secret that says what it is, and that tell by
// what ids senders know the people of the fake contract. They are known to everybody: with a real contract there must
// be none of them.
func demoSecrets() map[string]string {
	variables := map[string]string{
		"KEYREEVE_IDENTITY_MAP": "github:alice-gh=alice@example.com,github:bob-gh=bob@example.com,github:carol-gh=carol@example.com," +
			"bamboohr:101=alice@example.com,bamboohr:102=bob@example.com,bamboohr:103=carol@example.com," +
			"hibob:201=alice@example.com,hibob:202=bob@example.com,hibob:203=carol@example.com",
	}
	for _, sender := range []string{"OKTA", "SCIM", "GITHUB", "STANDARD", "BAMBOOHR", "HIBOB", "WORKOS"} {
		secret := "only-for-make-run-" + strings.ToLower(sender)
		if sender == "STANDARD" {
			secret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(secret))
		}
		variables["KEYREEVE_WEBHOOK_"+sender+"_SECRET"] = secret
	}
	return variables
}
