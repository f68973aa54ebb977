using EmrMarket.Silos.Commands;
using EmrMarket.Silos.Commands.Audit;
using EmrMarket.Silos.Commands.Estimate;
using EmrMarket.Silos.Commands.Evaluate;
using EmrMarket.Silos.Commands.Request;

return await CommandLine.RunAsync(
    args,
    EvaluateCommand.Create(),
    EstimateCommand.Create(),
    RequestCommand.Create(),
    AuditPrivacyCommand.Create());
