using System.CommandLine;

namespace EmrMarket.Silos.Commands.Request;

/// <summary><c>emr request</c>: what a researcher does with a request.</summary>
internal static class RequestCommand
{
    /// <summary>The command with its verbs.</summary>
    public static Command Create() => new("request", "Plan a request for statistics before anything is paid.") { PlanCommand.Create() };
}
