using System.CommandLine;

var root = new RootCommand("EmrMarket: statistics from electronic medical records that never leave their site in the clear.");
return await root.Parse(args).InvokeAsync();
