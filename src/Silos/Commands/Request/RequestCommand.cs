using System.CommandLine;

namespace EmrMarket.Silos.Commands.Request;

/// <summary><c>emr request</c>: what a researcher does with a request, and an auditor with any.</summary>
internal static class RequestCommand
{
    private const string Description =
        """
        Requests for statistics: plan before anything is paid, open and fund, follow, read results. The researcher's key signs on this machine and never leaves it.

        Examples:
          emr request plan --schema diabetic_data --statistic mean:time_in_hospital --half-width 0.2
          emr request open --schema diabetic_data --statistic mean:time_in_hospital --records 2000 --title "Length of stay" --why "Planning of beds" --yes
          emr request status 3 --until ended
          emr request results 3 --format fhir
          emr request list
          emr request cancel 3
          emr request verify 3

        A request is named by its number on the ledger, by its key, or by how the key begins.

        Exit codes: 0 done, 1 failed or not allowed, 2 wrong command or input, 75 not ready.
        """;

    /// <summary>The command with its verbs.</summary>
    public static Command Create() => new("request", Description)
    {
        PlanCommand.Create(), OpenCommand.Create(), FollowCommands.CreateStatus(), FollowCommands.CreateResults(), CancelCommand.Create(),
        FollowCommands.CreateList(), VerifyCommand.Create(),
    };
}
