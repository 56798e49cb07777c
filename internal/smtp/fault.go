package smtp

// Fault is a failure without a reply: the network, TLS, a server that does not
// offer what is needed, a local file. Its values are codes of internal/diagnosis'
// catalogue, which names an error of the network as a Fault by FaultOf.
type Fault string

// The faults.
const (
	FaultDNSNotFound        Fault = "dns-not-found"
	FaultDNSFailure         Fault = "dns-failure"
	FaultConnectionRefused  Fault = "connection-refused"
	FaultRelayNotRunning    Fault = "relay-not-running" // no one listens on its Unix socket
	FaultConnectionTimeout  Fault = "connection-timeout"
	FaultConnectionClosed   Fault = "connection-closed"
	FaultNetworkUnreachable Fault = "network-unreachable"
	FaultProxyRefused       Fault = "proxy-refused"
	FaultProxySignIn        Fault = "proxy-authentication"
	FaultTLSUntrusted       Fault = "tls-untrusted"
	FaultTLSIntercepted     Fault = "tls-intercepted"
	FaultTLSHostname        Fault = "tls-hostname"
	FaultTLSExpired         Fault = "tls-expired"
	FaultTLSVersion         Fault = "tls-version"
	FaultTLSNotSpoken       Fault = "tls-not-spoken" // plain text where TLS was expected, as with implicit TLS on 587
	FaultTLSFailure         Fault = "tls-failure"
	FaultStartTLSMissing    Fault = "starttls-missing"
	FaultXOAUTH2Missing     Fault = "xoauth2-missing"
	FaultNotSMTP            Fault = "not-smtp"
	FaultNotExchange        Fault = "not-exchange"
	FaultTokenNotJSON       Fault = "token-not-json" // the endpoint answers with something else, as a captive portal does
	FaultTokenUnusable      Fault = "token-unusable" // a token with a line break or another control character
	FaultClockSkew          Fault = "clock-skew"
	FaultCancelled          Fault = "cancelled"
	FaultSlotsBusy          Fault = "connection-slots-busy"
	FaultInDoubt            Fault = "in-doubt" // no reply to the final dot: it outranks whatever kept the reply away

	// What keeps the client from proving who it is, before the endpoint is asked.
	FaultCertificateUnreadable Fault = "certificate-unreadable"
	FaultCertificateKey        Fault = "certificate-key-mismatch"
	FaultCertificateKind       Fault = "certificate-not-rsa" // or a short key
	FaultFederatedToken        Fault = "federated-token-absent"
	FaultFederatedTrouble      Fault = "federated-token-trouble" // of a CI system, for a while
	FaultManagedIdentity       Fault = "managed-identity-absent"
	FaultIdentityEndpoint      Fault = "managed-identity-endpoint"
	FaultArcKey                Fault = "arc-key-unreadable"
	FaultAccessToken           Fault = "access-token-absent"
	FaultAccessTokenEnded      Fault = "access-token-expired"
)
