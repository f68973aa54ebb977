using System.CommandLine;
using EmrMarket.Silos.Records;

namespace EmrMarket.Silos.Commands.Perturb;

/// <summary><c>emr site-key</c>: the secret from which a site's coins and pseudonyms derive.</summary>
internal static class SiteKeyCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var file = new Argument<string>("FILE") { Description = "The key file; it must not exist." };
        var make = new Command("new", "Makes a new random key, readable by its owner only.") { file };
        make.SetAction(parsed =>
        {
            string path = parsed.GetValue(file)!;
            SiteKeyFile.Create(path);
            Console.Out.WriteLine(
                $"{path}: a new site key. Keep a backup: without it the site would draw second, independent reports of the same facts.");
            return ExitCode.Success;
        });
        return new Command(
            "site-key",
            """
            The secret key of a site, made once. Whoever has it can undo every report of the site.

            Example:
              emr site-key new ~/.emr/keys/site.key
            """) { make };
    }
}
