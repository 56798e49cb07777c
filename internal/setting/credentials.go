package setting

// The settings that name a credential: one of them is enough, and two contradict each
// other.
const (
	ClientSecret          = "OFFICE_CLIENT_SECRET"
	ClientCertificateFile = "OFFICE_CLIENT_CERTIFICATE_FILE"
	FederatedTokenFile    = "OFFICE_FEDERATED_TOKEN_FILE"
	FederatedTokenCommand = "OFFICE_FEDERATED_TOKEN_COMMAND"
	FederatedTokenFrom    = "OFFICE_FEDERATED_TOKEN_FROM"
	ManagedIdentity       = "OFFICE_MANAGED_IDENTITY"
	AccessTokenFile       = "OFFICE_ACCESS_TOKEN_FILE"
	AccessTokenCommand    = "OFFICE_ACCESS_TOKEN_COMMAND"
)

// Others that belong to a credential.
const (
	ClientID                  = "OFFICE_CLIENT_ID"
	TenantID                  = "OFFICE_TENANT_ID"
	ClientSecretNext          = "OFFICE_CLIENT_SECRET_NEXT"
	ClientSecretExpires       = "OFFICE_CLIENT_SECRET_EXPIRES"
	ClientCertificateKeyFile  = "OFFICE_CLIENT_CERTIFICATE_KEY_FILE"
	ClientCertificatePassword = "OFFICE_CLIENT_CERTIFICATE_PASSWORD"
	ClientCertificateNextFile = "OFFICE_CLIENT_CERTIFICATE_NEXT_FILE"
	ClientCertificateChain    = "OFFICE_CLIENT_CERTIFICATE_CHAIN"
	FederatedAudience         = "OFFICE_FEDERATED_AUDIENCE"
	ServiceConnectionID       = "OFFICE_SERVICE_CONNECTION_ID"
)

const groupCredential = "Other credentials, in place of a client secret"

func secretSettings() []Setting {
	return []Setting{{
		Name: ClientSecret, Registry: "OfficeClientSecret", YAML: "oAuthClientSecret", Azure: "AZURE_CLIENT_SECRET", Group: groupToken,
		Default: "(AZURE_CLIENT_SECRET)", Secret: true,
		Comment: "Client secret: its Value, not its Secret ID. May be sealed (sealed:...). " +
			"Instead of it, one of: SMTPSEND_OFFICE_CLIENT_SECRET_FILE (a path; - = standard input), " +
			"SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND (prints it; run without a shell, 30 seconds at most), " +
			"the systemd credential " + CredentialPrefix + "office_client_secret.",
		Example: "~example~",
	}, {
		Name: ClientSecretNext, Group: groupToken, Secret: true,
		Comment: "Client secret that is used, with a warning, as soon as Entra ID refuses the first as wrong or expired. Given in the same ways.",
		Example: "~example2~",
	}, {
		Name: ClientSecretExpires, Group: groupToken,
		Comment: "Day on which the client secret expires, as the portal shows it: from 30 days before, a warning says so.",
		Example: "2027-11-30",
	}}
}

func certificateSettings() []Setting {
	return []Setting{{
		Name: ClientCertificateFile, Azure: "AZURE_CLIENT_CERTIFICATE_PATH", Group: groupCredential, Path: true,
		Default: "(AZURE_CLIENT_CERTIFICATE_PATH)",
		Comment: "Certificate that is uploaded to the app registration, and its private key: PEM or PKCS #12 (.pfx). RSA, 2048 bits or more.",
		Example: "/etc/smtpsend/client.pem",
	}, {
		Name: ClientCertificateKeyFile, Group: groupCredential, Path: true,
		Comment: "Private key of the certificate (PEM), when it is in a file of its own.",
		Example: "/etc/smtpsend/client.key",
	}, {
		Name: ClientCertificatePassword, Azure: "AZURE_CLIENT_CERTIFICATE_PASSWORD", Group: groupCredential, Secret: true,
		Default: "(AZURE_CLIENT_CERTIFICATE_PASSWORD)",
		Comment: "Password of the private key or of the PKCS #12 file. Given in the same ways as the client secret.",
		Example: "~example~",
	}, {
		Name: ClientCertificateNextFile, Group: groupCredential, Path: true,
		Default: "(the certificate's file with .next)",
		Comment: "Certificate and key that are used, with a warning, when Entra ID refuses the first or it has expired. smtpsend cert rotate makes the file.",
		Example: "/etc/smtpsend/client.pem.next",
	}, {
		Name: ClientCertificateChain, Azure: "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", Group: groupCredential,
		Default: "0",
		Comment: "1 = send the certificate and those of its file that issued it with each token request, for applications that trust an issuer and a subject name.",
		Example: "1",
	}}
}

func tokenlessSettings() []Setting {
	return []Setting{{
		Name: FederatedTokenFile, Azure: "AZURE_FEDERATED_TOKEN_FILE", Group: groupCredential, Path: true,
		Default: "(AZURE_FEDERATED_TOKEN_FILE)",
		Comment: "File with a token of another issuer that the app registration trusts (a federated credential), as Kubernetes has it. It is read for each token request.",
		Example: "/var/run/secrets/azure/tokens/azure-identity-token",
	}, {
		Name: FederatedTokenCommand, Group: groupCredential, Command: true,
		Comment: "Program that prints such a token (run without a shell, 30 seconds at most).",
		Example: "/usr/local/lib/smtpsend/id-token",
	}, {
		Name: FederatedTokenFrom, Group: groupCredential,
		Default: "(the CI system, when it offers one)",
		Comment: "Where such a token is asked for: github (GitHub Actions), azure-pipelines, or env:NAME (an environment variable, as GitLab's id_tokens have it).",
		Example: "env:AZURE_ID_TOKEN",
	}, {
		Name: FederatedAudience, Group: groupCredential,
		Default: "(api://AzureADTokenExchange, or that of SMTPSEND_CLOUD)",
		Comment: "Audience of the token that GitHub Actions is asked for, the same as in the federated credential.",
		Example: "api://AzureADTokenExchange",
	}, {
		Name: ServiceConnectionID, Azure: "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", Group: groupCredential,
		Default: "(AZURESUBSCRIPTION_SERVICE_CONNECTION_ID)",
		Comment: "ID of the service connection whose token Azure Pipelines is asked for.",
		Example: "11111111-2222-3333-4444-555555555555",
	}, {
		Name: ManagedIdentity, Group: groupCredential,
		Comment: "Managed identity of the host in Azure (virtual machine, App Service, Container Apps, Azure Arc): system; or, of a user-assigned identity, its client ID, " +
			"object: and its object ID, or its resource ID. A virtual machine is asked only when this is set.",
		Example: "system",
	}, {
		Name: AccessTokenFile, Group: groupCredential, Path: true,
		Comment: "File with an access token for Exchange Online that another program renews.",
		Example: "/run/token/access-token",
	}, {
		Name: AccessTokenCommand, Group: groupCredential, Command: true,
		Comment: "Program that prints such a token (run without a shell, 30 seconds at most).",
		Example: "/usr/local/lib/smtpsend/access-token",
	}}
}
