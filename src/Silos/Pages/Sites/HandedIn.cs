using EmrMarket.Silos.Pages.Texts;

namespace EmrMarket.Silos.Pages.Sites;

/// <summary>Files that staff hand in by a form: raw, so they stay in a folder that only this process enters, and only while they are
/// read.</summary>
internal static class HandedIn
{
    /// <summary>The longest file of a page; the command line takes longer ones.</summary>
    public const long MostBytes = 25_000_000;

    /// <summary>Lets a file of the form be read.</summary>
    /// <param name="http">The call.</param>
    /// <param name="field">The field that has the file.</param>
    /// <param name="ending">What its name here ends with.</param>
    /// <param name="read">Takes its path.</param>
    /// <returns>Why there is none to be read; empty when it was.</returns>
    public static async Task<string> ReadAsync(HttpContext http, string field, Func<string, string> ending, Func<string, Task> read)
    {
        if (http.Request.Form.Files.GetFile(field) is not { Length: > 0 } file)
        {
            return SiteTexts.NoFile;
        }

        if (file.Length > MostBytes)
        {
            return SiteTexts.TooLarge;
        }

        string folder = Directory.CreateTempSubdirectory("emrmarket-").FullName;
        try
        {
            // Under a name of our own: the sender's could lead elsewhere.
            string path = Path.Combine(folder, "file" + ending(file.FileName));
            await using (FileStream to = File.Create(path))
            {
                await file.CopyToAsync(to, http.RequestAborted);
            }

            await read(path);
            return "";
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
