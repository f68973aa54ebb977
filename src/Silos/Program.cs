using EmrMarket.Silos.Commands;
using EmrMarket.Silos.Commands.Account;
using EmrMarket.Silos.Commands.Audit;
using EmrMarket.Silos.Commands.Backup;
using EmrMarket.Silos.Commands.Catalogue;
using EmrMarket.Silos.Commands.Chain;
using EmrMarket.Silos.Commands.Config;
using EmrMarket.Silos.Commands.Data;
using EmrMarket.Silos.Commands.Estimate;
using EmrMarket.Silos.Commands.Evaluate;
using EmrMarket.Silos.Commands.Ledger;
using EmrMarket.Silos.Commands.Patient;
using EmrMarket.Silos.Commands.Perturb;
using EmrMarket.Silos.Commands.Request;
using EmrMarket.Silos.Commands.Schemas;
using EmrMarket.Silos.Commands.Serve;
using EmrMarket.Silos.Commands.Site;
using EmrMarket.Silos.Commands.Trace;

return await CommandLine.RunAsync(
    args,
    ChainCommand.Create(),
    ServeCommand.Create(),
    BackupCommand.Create(),
    RestoreCommand.Create(),
    ConfigCommand.Create(),
    AccountCommand.Create(),
    SiteCommand.Create(),
    PatientCommand.Create(),
    CatalogueCommand.Create(),
    RequestCommand.Create(),
    TraceCommand.Create(),
    AuditCommand.Create(),
    LedgerCommands.Create(),
    EvaluateCommand.Create(),
    EstimateCommand.Create(),
    AuditPrivacyCommand.Create(),
    SchemaCommand.Create(),
    DataCommand.Create(),
    SiteKeyCommand.Create(),
    PerturbCommand.Create());
