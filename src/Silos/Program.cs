using EmrMarket.Silos.Commands;
using EmrMarket.Silos.Commands.Audit;
using EmrMarket.Silos.Commands.Chain;
using EmrMarket.Silos.Commands.Data;
using EmrMarket.Silos.Commands.Estimate;
using EmrMarket.Silos.Commands.Evaluate;
using EmrMarket.Silos.Commands.Ledger;
using EmrMarket.Silos.Commands.Perturb;
using EmrMarket.Silos.Commands.Request;
using EmrMarket.Silos.Commands.Schemas;
using EmrMarket.Silos.Commands.Serve;

return await CommandLine.RunAsync(
    args,
    ChainCommand.Create(),
    ServeCommand.Create(),
    LedgerCommands.Create(),
    EvaluateCommand.Create(),
    EstimateCommand.Create(),
    RequestCommand.Create(),
    AuditPrivacyCommand.Create(),
    SchemaCommand.Create(),
    DataCommand.Create(),
    SiteKeyCommand.Create(),
    PerturbCommand.Create());
