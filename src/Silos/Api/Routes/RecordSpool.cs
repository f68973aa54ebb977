using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Records.Mapping.Fhir.Files;
using EmrMarket.Silos.Records.Mapping.Omop;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace EmrMarket.Silos.Api.Routes;

/// <summary>Record files on their way into a site: raw, so they stay in a folder that only this process enters, and are removed as soon as
/// they are read.</summary>
internal sealed class RecordSpool
{
    /// <summary>The most bytes of one call.</summary>
    public const long MostBytes = 512L << 20;

    // All tables of the OMOP Common Data Model at once, and some more.
    private const int MostFiles = 64;

    private readonly string _folder;

    /// <summary>Opens the folder, and empties it of what a crash left.</summary>
    public RecordSpool(ApiOptions options)
    {
        _folder = options.Spool;
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }

        Access.KeyFolder.Create(_folder);
    }

    /// <summary>Takes the files of a call's body.</summary>
    /// <param name="context">The call.</param>
    /// <param name="types">The media types that a body of one file may have.</param>
    /// <exception cref="ApiException">The body is of another type, empty, or has too many files.</exception>
    public Task<SpooledFiles> TakeAsync(HttpContext context, params string[] types) =>
        TakeAsync(context, types, (name, number) => $"file-{number}{(FhirPaths.IsByLine(name) ? ".ndjson" : "")}");

    /// <summary>Takes the tables of a call's body: several files, each called as its table.</summary>
    /// <exception cref="ApiException">The body is of another type or empty, has too many files, one that is no table, or a table
    /// twice.</exception>
    public Task<SpooledFiles> TakeTablesAsync(HttpContext context)
    {
        HashSet<string> tables = new(StringComparer.Ordinal);
        return TakeAsync(context, [], (name, _) =>
        {
            // Browsers may say the folders too.
            string file = name[(name.LastIndexOfAny(['/', '\\']) + 1)..];
            if (OmopFolder.TableOf(file) is not { Length: > 0 and <= 64 } table || table.Any(c => !char.IsAsciiLetterLower(c) && c != '_'))
            {
                throw new ApiException(ProblemType.InvalidValue,
                    "each file is called as its table, .csv, .tsv or .txt, packed with gzip or not: person.csv, measurement.csv.gz");
            }

            return tables.Add(table) ? table + ".csv" : throw new ApiException(ProblemType.InvalidValue, $"there are two files of {table}");
        });
    }

    private async Task<SpooledFiles> TakeAsync(HttpContext context, string[] types, Func<string, int, string> nameOf)
    {
        MediaTypeHeaderValue? type = MediaTypeHeaderValue.TryParse(context.Request.ContentType, out MediaTypeHeaderValue? parsed)
            ? parsed : null;
        string folder = Path.Combine(_folder, Guid.NewGuid().ToString("N"));
        Access.KeyFolder.Create(folder);
        SpooledFiles files = new(folder);
        try
        {
            switch (type?.MediaType.Value?.ToLowerInvariant())
            {
                case { } one when one != "multipart/form-data" && types.Contains(one):
                    await files.AddAsync(context.Request.Body, nameOf(one.EndsWith("ndjson", StringComparison.Ordinal) ? ".ndjson" : "", 1),
                        context.RequestAborted);
                    break;
                case "multipart/form-data" when HeaderUtilities.RemoveQuotes(type.Boundary).Value is { Length: > 0 and <= 70 } boundary:
                    MultipartReader parts = new(boundary, context.Request.Body);
                    while (await parts.ReadNextSectionAsync(context.RequestAborted) is { } part)
                    {
                        ContentDispositionHeaderValue? told = part.GetContentDispositionHeader();
                        string? name = told is { FileNameStar.HasValue: true } ? told.FileNameStar.Value
                            : told is { FileName.HasValue: true } ? told.FileName.Value : null;
                        if (name is null)
                        {
                            continue;
                        }

                        if (files.Paths.Count == MostFiles)
                        {
                            throw new ApiException(ProblemType.InvalidValue, $"a call has at most {MostFiles} files");
                        }

                        await files.AddAsync(part.Body, nameOf(name.Trim('"'), files.Paths.Count + 1), context.RequestAborted);
                    }

                    break;
                default:
                    throw new ApiException(ProblemType.UnsupportedMediaType);
            }

            return files.Paths.Count > 0 ? files : throw new ApiException(ProblemType.InvalidValue, "the body holds no file");
        }
        catch (Exception e)
        {
            files.Dispose();
            throw e is IOException and not BadHttpRequestException
                ? new ApiException(ProblemType.MalformedRequest, "the body is no multipart/form-data, or was cut short") : e;
        }
    }
}

/// <summary>The files of one call; removed when disposed.</summary>
internal sealed class SpooledFiles(string folder) : IDisposable
{
    private readonly List<string> _paths = [];

    /// <summary>Where they are. Their names are numbers or tables: what the caller called them is nobody's path.</summary>
    public IReadOnlyList<string> Paths => _paths;

    /// <summary>Adds a file.</summary>
    /// <param name="content">Its bytes.</param>
    /// <param name="name">Its name here.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task AddAsync(Stream content, string name, CancellationToken cancellationToken)
    {
        string path = Path.Combine(folder, name);
        _paths.Add(path);
        await using FileStream file = new(path, FileMode.CreateNew, FileAccess.Write);
        await content.CopyToAsync(file, cancellationToken);
    }

    public void Dispose()
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
