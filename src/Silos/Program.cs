using EmrMarket.Silos.Commands;
using EmrMarket.Silos.Commands.Audit;
using EmrMarket.Silos.Commands.Evaluate;

return await CommandLine.RunAsync(
    args,
    EvaluateCommand.Create(),
    AuditPrivacyCommand.Create());
