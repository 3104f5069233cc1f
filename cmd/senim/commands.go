package main

import "github.com/spf13/cobra"

// commands lists every command of the program, in the order of --help.
func (p *program) commands() []*cobra.Command {
	return []*cobra.Command{
		p.demoCommand(),
		p.upCommand(),
		p.serveCommand(),
		p.verifyCommand(),
		p.signCommand(),
		p.timestampCommand(),
		p.extendCommand(),
		p.certCommand(),
		p.trustCommand(),
		p.tokenCommand(),
		p.clientCommand(),
		p.statementCommand(),
		p.reconcileCommand(),
		p.reportCommand(),
		p.ledgerCommand(),
		p.migrateCommand(),
		p.sandboxCommand(),
		p.backupCommand(),
		p.restoreCommand(),
		p.benchCommand(),
	}
}
