// What is added to JupyterLab's own builder: it compiles the TypeScript itself, so that a build installs neither the
// compiler nor JupyterLab's packages. Those are imported from the running Lab, and needed here only to check types
// (checks/package.json).
module.exports = {
  resolve: { extensions: ['.tsx', '.ts', '.js'] },
  module: {
    rules: [
      {
        test: /\.tsx?$/,
        loader: 'builtin:swc-loader',
        options: {
          jsc: {
            parser: { syntax: 'typescript', tsx: true },
            // The classic form imports only `react`, which the Lab shares; the newer one would bundle a second file.
            transform: { react: { runtime: 'classic' } },
            target: 'es2021'
          }
        },
        type: 'javascript/auto'
      }
    ]
  }
};
