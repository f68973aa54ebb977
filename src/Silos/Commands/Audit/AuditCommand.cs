using System.CommandLine;

namespace EmrMarket.Silos.Commands.Audit;

/// <summary><c>emr audit</c>: what an auditor does about the batches of the ledger, and about sites.</summary>
internal static class AuditCommand
{
    private const string Description =
        """
        Checks batches of the ledger, and acts where something is wrong: raises the challenge that voids a false batch, demands a leaf whose file is withheld, records a finding about a site, takes
        out what was won. Transactions are signed here, by a key file that stays here; the server only relays them.

        Examples:
          emr audit batches --posted
          emr audit check 7f31c0 --as audit-desk                       holds a batch against its file, and tries every challenge
          emr audit check 7f31c0 --as audit-desk --challenge           and files the challenge that the contract would accept
          emr audit demand 7f31c0 --kind member --position 17
          emr audit demands
          emr audit end-demand 7f31c0 --kind member --position 17      when nobody answered in time
          emr audit finding --site 1 --kind channel --document memo.pdf
          emr audit findings --site 1
          emr audit withdraw

        Exit codes: 0 done, 1 a batch is wrong, or the ledger refused, 2 wrong command or input, 75 not ready.
        """;

    /// <summary>The command and its verbs.</summary>
    public static Command Create() => new("audit", Description)
    {
        CheckCommands.CreateBatches(), CheckCommands.CreateCheck(), DemandCommands.CreateDemand(), DemandCommands.CreateList(),
        DemandCommands.CreateEnd(), FindingCommands.CreateFinding(), FindingCommands.CreateList(), WithdrawCommand.Create(),
    };
}
