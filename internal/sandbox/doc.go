// Package sandbox runs the stand-ins of the state's systems on loopback: NUC RK
// (sandbox/nca) with its three time servers, ШЭП with ГБД ЮЛ (sandbox/shep), and ПШЭП
// with a bank and the treasury's statements (sandbox/pshep).
// `senim up`, `senim demo` and integration tests start it; to the rest of Senim
// it is a peer behind HTTP and PKCS#11, like the real ones.
//
// Every part has a listener of its own, on a port that is free at the first start
// and the same ever after, because the addresses stand in certificates. Keys,
// registers and ports are kept in one folder; a second start continues with it.
//
// The people and companies are invented: their numbers have valid control digits
// and belong to nobody.
//
// Faults are set through the parts or through POST /control/faults of each. A
// request whose Host is not the listener's own address is refused, so that a web
// page in the operator's browser cannot give orders here.
package sandbox
